"""A page to look through labels: pictures and errors, the most doubtful images first."""

from .judging import ImageLabels, LabelRow, doubt_of, judge_labels, places_of
from .report import InspectionReport
