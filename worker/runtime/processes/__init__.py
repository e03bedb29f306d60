"""Child processes that never outlive their parent: started, supervised, stopped; free ports."""
