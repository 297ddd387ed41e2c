"""What must hold on the finished file itself. Each function returns core.quality.Check values and raises nothing."""
