"""Flows, the messages they send, what they say, and what people agreed to. One module per subject."""

from campaigns.models.consent import Consent, ConsentEvent, Preference, Suppression
from campaigns.models.content import MessageTemplate, TemplateDraft, TemplateVersion
from campaigns.models.flows import Enrolment, Flow, FlowVersion, StepRun
from campaigns.models.inbox import InboxMail
from campaigns.models.messages import Message, SentLedger
from campaigns.models.outgoing import HookDelivery, HookSecret, StaffNotice
from campaigns.models.planning import TriggerPlan
from campaigns.models.sending import Journal, MailAccount, SendingHold, SendingRules
from campaigns.models.simulation import DryRun
from campaigns.models.visits import CountedLink, LinkVisit

__all__ = [
    "Consent",
    "ConsentEvent",
    "CountedLink",
    "DryRun",
    "Enrolment",
    "Flow",
    "FlowVersion",
    "HookDelivery",
    "HookSecret",
    "InboxMail",
    "Journal",
    "LinkVisit",
    "MailAccount",
    "Message",
    "MessageTemplate",
    "Preference",
    "SendingHold",
    "SendingRules",
    "SentLedger",
    "StaffNotice",
    "StepRun",
    "Suppression",
    "TemplateDraft",
    "TemplateVersion",
    "TriggerPlan",
]
