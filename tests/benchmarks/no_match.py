"""How well "nothing here matches" is told: ``python -m tests.benchmarks.no_match DATA``.

The captions of two sets of real clips are asked of a library of them, and questions of which
nothing is to be seen there: how many of either end without a match at the default bar, and the
chance that a caption's confidence is above such a question's (AUC). One constant was chosen by a
look at the first list of such questions; the second was written afterwards and decided nothing.
Short questions that have a match are what a person types, and are harder than captions.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import c2v
from c2v.evaluation.confidence_fit import auc

SETS = {
    "21 clips": ("clips",),
    "22 clips": ("msrvtt/clips",),
    "43 clips": ("clips", "msrvtt/clips"),
}

LOOKED_AT = """\
a horse galloping on a beach
an elephant taking a bath
a lion chasing a zebra
penguins on an iceberg
a cat sleeping on a keyboard
sharks swimming under water
a goldfish in a bowl
a butterfly on a flower
a spider spinning its web
a snake in the desert
a tiger in a zoo
cows on a pasture
a sheep being shorn
a hot air balloon in the sky
a helicopter over the mountains
an airplane landing on a runway
a train crossing a bridge
a sailing race at sea
a tractor on a field
a fire truck with its lights on
a motorcycle race
a submarine
fireworks over a city at night
a volcano erupting
a waterfall in the jungle
a desert with camels
a thunderstorm with lightning
autumn leaves falling from trees
a sunset on the beach
a surfer riding a wave
a swimmer in a pool
a football match in a stadium
a tennis player serving
a golfer on the green
boxers fighting in a ring
a wrestling match
ice hockey
a rock climber on a cliff
children building a sandcastle
a baby sleeping in a cradle
a wedding in a church
a bride throwing her bouquet
a dentist looking at teeth
a surgeon operating on a patient
a baker kneading dough
a pizza in the oven
sushi on a plate
someone peeling potatoes
a chocolate cake being decorated
a glass of red wine
an orange cut in half
a carpenter sawing wood
a welder at work with sparks
a robot in a factory
a woman sewing a dress
a potter at the wheel
a man fishing from a pier
a tent and a campfire
a gardener mowing the lawn
strawberries in a bowl
a violin player in an orchestra
a pianist at a grand piano
an opera singer on stage
a magician pulling a rabbit out of a hat
a chess game
a roulette table in a casino
a microscope in a laboratory
a computer screen with source code
a map of Europe
stock market chart
a washing machine
the Eiffel tower
a castle on a hill
a lighthouse
a skyscraper under construction
a snowman in a garden
a mosque at prayer time
soldiers marching
a courtroom with a judge
an escalator in a shopping mall
cat
elephant
airplane
sunflowers
fire
""".splitlines()

UNSEEN = """\
giraffe
an old steam locomotive pulling out of a station
my daughter's first steps on the carpet
people queueing at an airport check-in desk
a kitten drinks milk from a saucer
a rainbow above wet fields
two men play table tennis
a close up of a bee on lavender
grandfather shovelling snow off the driveway
lightning strikes a tower
a farmer milks a cow in a barn
kids on a trampoline
the moon rising behind mountains
an otter cracks a shell on its belly
a crowded subway train
a nurse gives an injection
a bulldozer pushes earth
penguin
an archaeologist brushes sand from bones
someone irons a shirt
a kite in a windy sky
people ice skating on a frozen lake
a cruise ship leaves the harbour at dusk
an octopus changes colour
a candle burning in the dark
a man shaves his beard in front of a mirror
a chef flips a pancake
a frog jumps into a pond
a carousel at a fair
two sumo wrestlers
a mechanic changes a tyre
a hamster running in its wheel
a tornado crossing farmland
an accordion player on a street corner
a rollercoaster drops
salmon leaping up a river
the pyramids in Egypt
a baby crying in a high chair
workers harvesting grapes
a knight in armour on a horse
a bonfire on the beach at night
a woman paints her nails
popcorn
a blacksmith hammers red-hot iron
camels drinking
bowling ball hits the pins
a parachutist lands in a field
""".splitlines()

SHORT_WITH_MATCH = """\
a guitar
fingers on the strings of a bass
a woman doing yoga
a yoga pose on a terrace
a ballerina
a ballet dancer in the street
a parked bicycle
pedestrians on a pavement
a man in a car
a man with a bow tie
bears
bears in the grass
a birthday cake
a birthday party at home
a party hat
a boat on a river
cherry blossoms
a parrot
a white bird
bottles on a table
water bottles
a parking lot from above
cars
a person walking through a room
a woman on a bike
cycling on a road
a basketball game
people playing in a gym
a man in a white suit
a man with glasses
coffee
pouring coffee into a mug
a dog
a woman with her dog
a skier
skiing in the snow
an astronaut
the space station
a drummer
playing the drums
cooking rice
a pot on a stove
a man giving a speech
a girl playing the flute
a classroom
children in school
spider man
people dancing
a teacher in front of a class
a boy talking
""".splitlines()
"""Of the 43 clips together."""


def main() -> None:
    """Print a line for each set of clips."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path, help="folder with clips/ and msrvtt/clips/")
    options.add_argument("--model", default="mini")
    given = options.parse_args()
    for name, folders in SETS.items():
        with tempfile.TemporaryDirectory(prefix="c2v-no-match-") as scratch:
            paths = [given.data / folder for folder in folders]
            with c2v.open(Path(scratch) / "library", model=given.model) as videos:
                videos.index(paths)
                print(f"{name}:", *_figures(videos, paths), sep="\n  ")


def _figures(videos: c2v.VideoLibrary, folders: list[Path]) -> list[str]:
    matches = _confidences(videos, [text for folder in folders for text in _captions(folder)])
    lines = [f"captions refused {(matches < 0.5).mean():.1%}"]
    for name, questions in (("looked at", LOOKED_AT), ("unseen", UNSEEN)):
        others = _confidences(videos, questions)
        lines.append(
            f"{len(others)} questions without a match, {name}: AUC {auc(matches, others):.3f}, "
            f"said so {(others < 0.5).mean():.0%}"
        )
    if len(folders) == len(SETS["43 clips"]):
        short = _confidences(videos, SHORT_WITH_MATCH)
        lines.append(
            f"{len(short)} short questions with a match refused {(short < 0.5).mean():.0%}"
        )
    return lines


def _captions(folder: Path) -> list[str]:
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
        return [row["caption"] for row in csv.DictReader(file)]


def _confidences(videos: c2v.VideoLibrary, texts: list[str]) -> NDArray[np.float64]:
    return np.array([answer[0].confidence for answer in videos.search_many(texts, top=1)])


if __name__ == "__main__":
    main()
