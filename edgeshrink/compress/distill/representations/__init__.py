"""What a student learns from the inside of a teacher: which layers, their states, how their positions relate."""
