"""What a flow would do: for one person (preview, "why"), and for all of the last days (dry run). Writes nothing.

world.py, rewinding.py   what is known about some people, with its dates; orders and customers as they were
knowing.py               the values that conditions ask about, as they were; which of them nobody kept
course.py                one person's way, by the code of the engine and of the outbox
running.py, report.py    many people, in batches, added up
kept.py                  the last result of a flow, kept small; long runs as a job; the library's reach
explaining.py            one person: what was looked at, the way, the dates, the letters; why, and why not
"""
