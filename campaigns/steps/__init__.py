"""The kinds of steps, one file each. A new kind is a new file here, imported below."""

from campaigns.steps import ask_for_review, branch, end, give_points, issue_coupon, send_email, wait
from campaigns.steps.base import Choose, Done, Kind, Leave, Outcome, Skipped, Step, Visit, WaitUntil, build, kinds

__all__ = [
    "Choose",
    "Done",
    "Kind",
    "Leave",
    "Outcome",
    "Skipped",
    "Step",
    "Visit",
    "WaitUntil",
    "ask_for_review",
    "branch",
    "build",
    "end",
    "give_points",
    "issue_coupon",
    "kinds",
    "send_email",
    "wait",
]
