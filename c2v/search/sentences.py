"""Everyday sentences that stand for what anybody might ask, written for c2v."""

from typing import Final

SENTENCES: Final = """\
a cat asleep on a sofa
a kitten playing with a ball of wool
a dog running across a meadow
two puppies chewing on a shoe
a horse galloping along a beach
cows grazing behind a fence
sheep on a green hillside
a goat standing on a rock
chickens pecking in a farmyard
a duck swimming with its ducklings
pigeons in a town square
an owl on a branch at night
an eagle circling in the sky
a parrot in a cage
a squirrel eating a nut
a rabbit in a garden
a fox crossing a snowy field
a deer at the edge of a wood
a bear fishing in a river
a lion resting in the shade
an elephant drinking at a waterhole
a giraffe eating leaves from a tree
a monkey swinging between branches
a zebra herd on dry grass
penguins walking on ice
a seal lying on a rock
a whale coming up for air
dolphins jumping beside a ship
colourful fish around a coral reef
a jellyfish drifting in dark water
a turtle crawling over sand
a snake in tall grass
a lizard on a warm stone
a frog at the edge of a pond
a spider in its web
a bee on a yellow flower
a butterfly opening its wings
ants carrying crumbs
a snail on a wet leaf
an aquarium in a dim room
a baby crawling on a carpet
a toddler eating with a spoon
a mother pushing a pram
children on a playground slide
a boy kicking a ball against a wall
girls skipping with a rope
a child blowing out candles
kids splashing in a paddling pool
a grandfather reading to his grandchild
a family having a picnic
a bride and groom cutting a cake
friends raising their glasses
a woman putting on lipstick
a man shaving in front of a mirror
a woman brushing her long hair
a barber cutting hair
a nurse talking to a patient
a dentist at work
a doctor looking at an x-ray
a man lifting weights
a woman stretching on a mat
people running a marathon
a cyclist climbing a mountain road
a swimmer diving into a pool
a surfer on a big wave
a sailing boat leaning in the wind
people rowing on a lake
a kayak in white water
a man fishing from a pier
a skier jumping over a ridge
a snowboarder sliding on a rail
children building a snowman
ice hockey players in a rink
a figure skater spinning on the ice
a footballer scoring a goal
basketball players under the hoop
a tennis player serving
a golfer hitting the ball out of sand
a baseball player swinging a bat
a boxing match in a ring
two wrestlers on a mat
a gymnast on the beam
a skateboarder jumping down stairs
a climber on a steep cliff
a parachutist landing in a field
a horse race with a crowd watching
a bowling ball knocking over pins
men playing chess in a park
people playing cards at a table
a darts board on a wall
a pianist playing on a stage
a man strumming a guitar
a violinist in an orchestra
a drummer behind his drums
a singer with a microphone
a choir singing in a church
a rock concert with flashing lights
a couple dancing a tango
dancers in folk costume
a clown juggling balls
a magician with playing cards
actors on a theatre stage
a puppet show for children
a teacher writing on a blackboard
students in a lecture hall
a woman giving a presentation
a politician speaking to reporters
two people in an interview
a newsreader at a desk
a weather map on television
an office worker typing at a computer
people in a meeting around a table
a man on the telephone
a screen full of program code
a video game with a racing car
a cartoon character walking
a page of printed text
a hand writing a letter
a chart with rising lines
a person packing parcels
a shop assistant at the till
a supermarket aisle with shelves
a market stall with vegetables
a woman trying on shoes
a tailor at a sewing machine
a cook chopping onions
meat sizzling in a frying pan
a pot of soup on the stove
dough being kneaded on a table
bread coming out of an oven
a chocolate cake on a plate
a bowl of fresh fruit
sushi arranged on a board
a pizza with melting cheese
a glass of red wine
coffee pouring into a cup
tea steaming in a pot
eggs being cracked into a bowl
a waiter carrying plates
an empty restaurant table
a barbecue in the garden
a kitchen with white cupboards
a living room with a fireplace
an unmade bed in a bedroom
a bathroom with a shower
a laundry machine turning
a man painting a wall
a carpenter sawing a plank
a plumber under a sink
a welder with flying sparks
a mechanic under a car
a robot arm in a factory
a potter shaping a vase
an artist painting on canvas
a blacksmith hammering hot iron
a printer pushing out paper
a gardener watering plants
a woman picking apples
a tractor ploughing a field
a combine harvester in wheat
a man chopping firewood
a lawn mower on the grass
a tent beside a campfire
hikers on a mountain path
a waterfall in a forest
waves breaking on rocks
a sunset over the sea
palm trees on a tropical beach
a desert with sand dunes
a volcano throwing out lava
a glacier above a valley
snow falling on a village
rain running down a window
lightning over a city
fog between the trees
autumn leaves on the ground
cherry trees in blossom
a field of sunflowers
a bunch of roses in a vase
mushrooms on a tree trunk
a river winding through a plain
a lake with a reflection of mountains
a rainbow after rain
the full moon in the night sky
stars and the milky way
a rocket lifting off
an astronaut floating in space
the earth seen from orbit
a satellite dish on a roof
an aeroplane taking off
a helicopter landing on a roof
a hot air balloon over hills
a drone flying above a field
a train arriving at a station
a tram in a narrow street
a bus full of passengers
cars in a traffic jam
a taxi at night in the rain
a motorcycle on a winding road
a lorry on a motorway
a fire engine with blue lights
a police officer directing traffic
a racing car on a track
a bicycle leaning on a wall
a parked car in a garage
a petrol station at night
a bridge over a wide river
a ferry leaving the harbour
a container ship at sea
a crane on a building site
a house being torn down
skyscrapers in a big city
a castle on a hill
a church with a tall tower
a mosque with a golden dome
a temple with red gates
a lighthouse on a cliff
a windmill beside a canal
a statue in the middle of a square
a fountain in a park
a crowded street with shops
people crossing at a traffic light
a crowd cheering in a stadium
protesters carrying signs
soldiers marching in a parade
fireworks over a town
a carnival with masks
a christmas tree with lights
a birthday party with balloons
a funeral in the rain
a judge in a courtroom
a scientist looking through a microscope
a test tube with blue liquid
a surgeon in an operating theatre
a museum with old paintings
a library with tall shelves
a swimming pool from above
an escalator in a shopping centre
an airport hall with suitcases
a train driver's view of the track
a hand holding a phone
a pair of glasses on a book
a clock on a wall
a pile of coins
a burning candle
a wooden door with an iron lock
an old photograph in a frame
a row of toy cars
a teddy bear on a chair
a wedding ring on a finger
a man in a suit walking up stairs
a woman laughing at the camera
a close-up of a person's face
a man with a beard and a hat
an old woman sitting on a bench
a group of friends taking a picture
a person in a red coat from behind
two men shaking hands
a man asleep on a train
a woman crying at a window
someone opening a present
a person washing the dishes
a person sweeping the floor
a man carrying a ladder
a woman with an umbrella
people waiting in a queue
workers in yellow helmets
an empty road through a forest
an empty corridor with doors
""".splitlines()
