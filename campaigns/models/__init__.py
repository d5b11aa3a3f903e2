"""Flows, the messages they send, and what people agreed to. One module per subject."""

from campaigns.models.flows import Enrolment, Flow, FlowVersion, StepRun
from campaigns.models.messages import Message, SentLedger

__all__ = ["Enrolment", "Flow", "FlowVersion", "Message", "SentLedger", "StepRun"]
