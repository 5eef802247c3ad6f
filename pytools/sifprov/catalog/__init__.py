"""The catalog: what the records of many containers say, in one database that can be asked.

Containers stay the truth. All that stands here was read from them, but for runs that are going on,
and can be read from them again. SQLAlchemy is imported in this package alone.
"""
