"""What an answer says of itself: its model, its id, what the provider counted.

Belongs here: reading the answers of many clients by the shape that they have. Does not belong here: any import of
those clients, and what the counts cost (`prices`).
"""
