"""One and two words for 43 real clips: what people type first, and what encoders are worst at."""

from __future__ import annotations

_WRITTEN = """\
guitar: aa_playing_guitar
bass guitar: aa_playing_guitar
musician: aa_playing_guitar vl_22 video1820
yoga: aa_yoga
stretching: aa_yoga
ballerina: anyv2v_Ballet
ballet: anyv2v_Ballet
tutu: anyv2v_Ballet
dancing: anyv2v_Ballet video7202
bicycle: bikes md_woman
parked bicycle: bikes
pedestrians: bikes
bow tie: carphone
car interior: carphone
bears: cve_1
brown bear: cve_1
grizzly: cve_1
birthday: dvl_birthday
birthday cake: dvl_birthday
party hat: dvl_birthday
laptop: dvl_birthday
boat: dvl_boat
river: dvl_boat
cherry blossoms: dvl_boat
trees: dvl_boat md_woman sam2_dog
parrot: imageio_cockatoo
cockatoo: imageio_cockatoo
bird: imageio_cockatoo
bottles: intel_bottle
water bottle: intel_bottle
cars: intel_car bikes
parking lot: intel_car
walking person: intel_person bikes
cyclist: md_woman
cycling: md_woman
bike ride: md_woman
basketball: mma_struct
gym: mma_struct
sport: mma_struct tav_man md_woman
white suit: pexels_a
glasses: pexels_a
coffee: sam2_coffee
coffee mug: sam2_coffee
cup: sam2_coffee
dog: sam2_dog
pet: sam2_dog
puppy: sam2_dog
skier: tav_man
skiing: tav_man
snow: tav_man
winter: tav_man
ski slope: tav_man
astronaut: tc_nasa
space station: tc_nasa
space: tc_nasa
drums: vl_22
drummer: vl_22
rice: UXs3
cooking: UXs3
stove: UXs3
pot: UXs3
kitchen: UXs3
speech: video176 video676
flute: video1820
flutist: video1820
classroom: video231 video2752 video1882 video8331 video2262
children: video231 video2752 video4434 video4349
pupils: video231 video2752 video8331 video4434
spider man: video6188
superhero: video6188
math: video6415
blackboard: video6415 video8331 video1882 video231
audience: video176 video676
teacher: video1781 video1882 video2262 video236 video231 video4382 video5311 video8331 video6415
television: video8133
plaid shirt: video8133
animal: cve_1 imageio_cockatoo sam2_dog
music: aa_playing_guitar vl_22 video1820
street: bikes anyv2v_Ballet md_woman
vehicle: intel_car bikes carphone
""".splitlines()


def short_queries(clips: list[str]) -> list[tuple[str, list[int]]]:
    """Each question, and the numbers of the clips (by file name) that show it; never none."""
    found = []
    for line in _WRITTEN:
        question, names = line.split(": ")
        shown = [
            number
            for number, clip in enumerate(clips)
            if any(clip.startswith(name) for name in names.split())
        ]
        if not shown:
            raise ValueError(f"no clip is here that shows {question}")
        found.append((question, shown))
    return found
