"""The claims as tables for README.md and for the book's page *What we could reproduce*."""

from evidence import claims

# What a smaller run says of a statement.
SMALLER = {"reproduced": "agrees", "close": "cannot tell", "not reproduced": "disagrees"}


def front_claims() -> str:
    """The few claims that the front page shows, as a Markdown table."""
    return "\n".join(["| | Paper | Ours | Our scale |", "|:--|:--|:--|:--|"] + [
        f"| {claim.front} | {_paper(claim) or '–'} | {claim.measured()} | {claim.scale()} |"
        for claim in claims.load() if claim.front and claim.found()])


def all_claims() -> str:
    """Every claim with its source, the paper's number, ours, its scale and the verdict, a table for each document."""
    judged = [(claim, claim.verdict()) for claim in claims.load()]
    counts = {verdict: [given for _, given in judged].count(verdict) for verdict in reversed(claims.VERDICTS)}
    lines = [f"{sum(counts.values())} claims: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}."]
    for name, document in claims.documents().items():
        lines += ["", f"## {document['title']}", "", "| Claim | Paper | Ours | Verdict |", "|:--|:--|:--|:--|"]
        for claim, verdict in judged:
            if claim.document == name:
                small = claim.found() and claim.found()[0].record["profile"] == "quick"
                ours = " · ".join(part for part in (claim.measured(), claim.scale() + ", miniature" * bool(small)) if part)
                shown = f"**{verdict}**" if verdict in claims.DECIDED else verdict
                if claim.chapter:
                    shown = f"[{verdict}](../notebooks/{claim.chapter}.ipynb)"
                if verdict == "not run at that scale" and claim.paper is None:
                    shown += f"; ours {SMALLER[claim.leaning()]}"
                lines.append(f"| {claim.says} ({claim.source}) | {_paper(claim)}{_within(claim)} | {ours} | {shown} |")
    return "\n".join(lines)


def _within(claim: claims.Claim) -> str:
    """The tolerance, where it is not the usual one."""
    return "" if claim.paper is None or claim.tolerance == claims.Claim.tolerance else f", within {claim.tolerance:g}"


def _paper(claim: claims.Claim) -> str:
    return "" if claim.paper is None else f"{claim.paper:.2f}\N{NO-BREAK SPACE}%"
