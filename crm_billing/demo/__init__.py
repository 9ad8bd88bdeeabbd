"""
A year in the life of some customers, told through the same commands real ones use.

Money arrives by `topups.start` and a gateway's fact, is spent by `spending` and `holds`, and is
corrected by two people; nothing is written past the commands, so the books prove. Only the clock
is another one: every command is told a moment of the past.
"""
