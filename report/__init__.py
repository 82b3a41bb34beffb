"""What builds the report: collect the runs, judge the claims, render one page per level."""
