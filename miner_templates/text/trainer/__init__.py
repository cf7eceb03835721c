"""The steps of a training, a module each. Read them in this order:

recipe   every number           samples     tokens and masks of each kind      pacer    schedule, checks, saves
clock    time, and the plan     objectives  what is measured, as a loss        lean     the short way: plain torch
rows     data, validation       model       loading, adapters, averaging       long     the long way: TRL's trainers
save     whole or not at all    rewards     reward functions, kept apart       grpo     learning from rewards
"""
