"""
One sink's part of the outbox, carried to its people: the last stage of the flow.

Each recipient has a mailbox of their own, so that what one source published reaches
them in its order, and a chat that hangs or is flooded holds up nobody else.  What
failed is tried again as the failure says; what cannot be delivered is set aside with
the reason; what has become old meanwhile is told together.  Nothing is forgotten before
`settle` has written what became of it.

    courier   takes what is in the outbox, and sees that everybody is served
    rounds    who is served when             agenda, slots, outage   whose turn it is
    errand    one attempt: is it ours, what is to be done, send it
    mailbox   what waits for one recipient
    ages      what is no news any more           folding   what is told together
    bearer    what follows from what came of it
"""

from monitor.deliver.courier import STALE_AFTER, Courier
from monitor.deliver.errand import SENDING, Lane

__all__ = ["SENDING", "STALE_AFTER", "Courier", "Lane"]
