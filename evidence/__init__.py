"""How the course knows what it says: named studies, their records, and verdicts on the papers' claims."""
