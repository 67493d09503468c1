"""A library in a folder: SQLite as the truth, a matrix and an HNSW graph as caches.

The story of one commit, from :meth:`SqliteStore.put_video` to the search that finds it:

1. *Who may write.* ``store.py`` takes ``writer.lock`` (``lock.py``) for the call, or once for an
   index run (``writer``) or for some videos (``batch``). Readers take no lock: SQLite's WAL shows
   them the state of their own ``snapshot`` for as long as they look.
2. *One transaction.* ``database.py`` begins it; a call inside a ``batch`` is a savepoint of the
   batch's. ``video_table.py`` writes the video's row, in place where its path is known: a video
   keeps its id. ``segment_table.py`` deletes its old segments and writes the new ones with vector,
   features and checksums (``checksums.py``), under ids that were never used before
   (AUTOINCREMENT), so that a row of a cache is known by its segment's id alone.
3. *A new generation.* Whatever touches vectors notes it, and the commit then adds one row to
   ``generation``: a number one higher, a stamp drawn anew, and the highest segment id ever given.
   It is in the same transaction: rows and generation are both there or neither is. After kill -9
   or a full disk the library is as it was before the whole transaction.
4. *What a cache says of itself.* Every file of a cache names an ``Identity``: library, model's
   fingerprint, dim, and the generation's number and stamp at which it was made. A cache is used
   only as far as its Identity can be placed in this database: the same one means it is exact; an
   earlier one, with a number *and* stamp that are among the rows of ``generation``, means it can
   catch up; anything else (a database put back from a backup counts its numbers a second time, but
   draws other stamps) means it is made again.
5. *Catching up.* ``last_segment_at`` gives the highest segment id at the cache's generation. What
   is above it is new, and is read from SQLite and appended (``matrix.py``, ``parts.py``); what is
   at or below it and no longer there is dropped; nothing else can have changed, because a segment
   is never rewritten under its id and new vectors for old ids come with another model. The graph
   (``hnsw.py``) may stay behind: rows that it lacks are scanned beside it, removed ones are marked.
6. *When.* At the end of ``writer``, ``refresh`` brings the files up to date (``caches.py``, under
   ``cache.lock``) and forgets generations that no file names any more. A search in between, or
   after a killed run, catches up in its own memory, and writes a file only where that spares much.
7. *Never on trust.* ``searcher.py`` compares the best rows of every search with SQLite, to the
   bit. Where they differ the caches are thrown away and made again; where SQLite's own row is
   damaged (its checksum says so) the segment is left out and its video named.
"""
