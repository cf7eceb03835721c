"""All planted errors of the rules."""

from tests.mutations import of_emission, of_results, of_the_game, of_titles
from tests.mutations.planting import Mutation

MUTATIONS: tuple[Mutation, ...] = (*of_results.ERRORS, *of_titles.ERRORS, *of_the_game.ERRORS, *of_emission.ERRORS)
