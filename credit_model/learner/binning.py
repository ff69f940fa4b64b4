"""The old place of classing, which has a room of its own: :mod:`credit_model.classing`."""

from credit_model.classing import BADS as BADS
from credit_model.classing import GOODS as GOODS
from credit_model.classing import Classing as Classing
from credit_model.classing import ClassingRules as ClassingRules
from credit_model.classing import FineColumn as FineColumn
from credit_model.classing import FineTable as FineTable
from credit_model.classing import cut_between as cut_between
from credit_model.classing import fine_categories as fine_categories
from credit_model.classing import fine_numbers as fine_numbers
from credit_model.classing import optimal_classing as optimal_classing
from credit_model.classing import ordered_woe as ordered_woe
