"""Fine-tuning: captions and a library in, a bundle out.

The road of a run: ``choices`` and ``recipe`` (what was asked for, and what follows), ``material``
(pairs, split), ``start`` (the head's first weights), ``trainee`` or ``towers`` (what learns),
``loop`` over ``step`` and ``objective`` with ``validation`` and ``checkpoints``, and ``record``
(the bundle). ``finetune`` walks it.
"""
