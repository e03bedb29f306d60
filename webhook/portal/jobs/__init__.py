"""Upload Phone Numbers in three steps, the page of a job, and Activity."""
