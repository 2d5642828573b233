"""The aggregates of this service, the itinerary under the rules in force."""

from scheduling.clinic.decide import CLINIC as CLINIC
from scheduling.itinerary.decide import itinerary_decider
from scheduling.laser.decide import LASER as LASER
from scheduling.practitioner.decide import PRACTITIONER as PRACTITIONER
from scheduling.rule_book import load

RULES = load()
ITINERARY = itinerary_decider(RULES)
