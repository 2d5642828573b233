"""The aggregate of this service, under the rules in force."""

from aftercare.care.decide import care_decider
from aftercare.rulebook import read_rules, rules_folder

RULES = read_rules(rules_folder())
CARE = care_decider(RULES)
