"""Everyday names of what videos show: for groups that nobody named, and what labels stand against.

Written for c2v. Sorted by matter, only to be read: nothing depends on the order.
"""

from __future__ import annotations

_BY_MATTER = """
a person talking, an interview, a speech, an audience, a crowd, a classroom, a lesson, a meeting,
a baby, children playing, a family, a wedding, a birthday party, a parade, a protest, a kiss, a
close-up of a face, a hand, people walking, people at a table, people working, someone sleeping,
dancing, ballet, yoga, gymnastics, running, skiing, snowboarding, skating, surfing, swimming,
diving, basketball, football, tennis, baseball, golf, volleyball, boxing, martial arts, climbing,
hiking, cycling, horse riding, fishing, a stadium, a race, skateboarding, weight lifting, a gym, a
concert, a singer, a guitar, drums, a piano, a flute, a violin, an orchestra, a band on stage, a
dog, a cat, a horse, a cow, sheep, a bear, a monkey, an elephant, a lion, a bird, a parrot, a
duck, chickens, a fish, an aquarium, a whale, a snake, a turtle, a frog, an insect, a butterfly, a
zoo, a car, a truck, a bus, a motorcycle, a bicycle, a train, a tram, an airplane, a helicopter, a
drone, a boat, a ship, a rocket, a tractor, traffic, a parking lot, a road seen from a car, a race
car, cooking, baking, a cake, bread, pizza, pasta, rice, soup, vegetables, fruit, meat, eggs,
coffee, tea, a bottle, a glass of wine, a meal on a plate, a restaurant, a market, a kitchen, a
supermarket, a forest, trees, flowers, a garden, grass, a mountain, snow, ice, a desert, a beach,
the sea, waves, a lake, a river, a waterfall, rain, clouds, a storm, the sky, a sunset, the moon,
stars, space, fire, a city street, a skyline, a tall building, a bridge, a village, a house, a
church, a castle, a farm, a factory, a construction site, a playground, a park, a station, an
airport, a hospital, a museum, a living room, a bedroom, a bathroom, an office, a stairway, a
shop, a library, a corridor, a garage, a computer screen, a video game, a cartoon, a drawing, a
map, a diagram, text on a screen, a logo, a presentation, a news broadcast, a television studio, a
telephone, a laptop, a robot, a camera, painting, sewing, woodwork, repairing a machine,
gardening, cleaning, make-up, hair cutting, a magic trick, a toy, a doll, building blocks, a board
game, fireworks, a clock, clothes, a fashion show, an astronaut, a soldier, a police officer, a
firefighter, a doctor, a superhero, a clown, night
"""

EVERYDAY: tuple[str, ...] = tuple(
    dict.fromkeys(name.strip() for name in " ".join(_BY_MATTER.split()).split(","))
)
