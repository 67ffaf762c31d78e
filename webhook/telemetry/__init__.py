"""What the program tells about itself: metrics, spans and JSON log lines, behind one Recorder.

Knows the words of admission, never a policy's logic or an object's content.
"""
