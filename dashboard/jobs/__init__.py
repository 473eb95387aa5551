"""Long work that survives the browser, the server and the runner.

``queue`` asks for jobs and steers them, ``kinds`` knows what there is to run, ``runner`` is the
process that runs them, holding each by a lease (``claiming``) that a dead runner cannot keep.

What is promised: each item of a job has exactly one result, committed before the next item is
begun. What is not: that an item is begun only once. One that was in flight when its runner died is
run again, so every kind must be able to run an item twice.
"""
