"""What loyalty keeps: the programme with its rules, the points ledger, rewards and what was redeemed."""

from loyalty.models.points import Account, Award, Entry
from loyalty.models.program import EarnRule, Program, Reward
from loyalty.models.rewards import Redemption

__all__ = ["Account", "Award", "EarnRule", "Entry", "Program", "Redemption", "Reward"]
