"""What shoppers tell us about what they bought. One module per subject."""

from reviews.models.cases import Case, CaseMessage
from reviews.models.reviews import Photo, Review, ReviewRequest, ReviewSettings

__all__ = ["Case", "CaseMessage", "Photo", "Review", "ReviewRequest", "ReviewSettings"]
