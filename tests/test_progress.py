"""Progress: a bar in a terminal, few lines elsewhere, rates of what this call does."""

from __future__ import annotations

import io

from rich.console import Console

from calokit.progress import PlainProgress, add_up, format_rate, no_progress, show_progress


def test_plain_progress_writes_a_line_every_ten_seconds_only():
    lines, now = [], [0.0]
    progress = PlainProgress(100, "generating", "showers", lines.append, lambda: now[0])
    for second in range(1, 26):
        now[0] = float(second)
        progress.advance(2, "loss 0.5" if second == 12 else "")
    progress.finish()
    assert lines == [
        "generating: 20/100 showers, 2.00 showers/s, 0:00:10 elapsed, 0:00:40 left",
        "generating: 40/100 showers, 2.00 showers/s, 0:00:20 elapsed, 0:00:30 left, loss 0.5",
        "generating: 50/100 showers, 2.00 showers/s, 0:00:25 elapsed, 0:00:25 left, loss 0.5",
    ]


def test_a_terminal_gets_a_bar():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120)
    with show_progress(8, "reading [x]", "showers", console=console) as advance:
        advance(3)
        advance(5, note="done [y]")
    text = output.getvalue()
    assert "reading [x]" in text
    assert "8/8 showers" in text
    assert "showers/s" in text
    assert "done [y]" in text
    assert "\x1b[" in text


def test_slow_rates_are_seconds_for_each():
    assert format_rate(0.5, "showers") == "2.00 s per shower"


def test_work_that_goes_on_counts_its_rate_from_there():
    lines, now = [], [0.0]
    progress = PlainProgress(100, "training", "steps", lines.append, lambda: now[0], done=60)
    now[0] = 10.0
    progress.advance(20)
    assert lines == ["training: 80/100 steps, 2.00 steps/s, 0:00:10 elapsed, 0:00:10 left"]
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120)
    with show_progress(100, "training", "steps", done=60, console=console) as advance:
        advance(10)
    assert "70/70 steps" in output.getvalue()  # it ended well, and so the bar is full


def test_short_work_and_work_that_nobody_watches_say_nothing(capsys):
    output = io.StringIO()
    with show_progress(2, "reading", "showers", console=Console(file=output)) as advance:
        advance(2)
    with no_progress(2, "reading", "showers") as advance:
        advance(2)
    assert output.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_parts_add_up_to_the_total():
    done = []
    tell = add_up(lambda n=1, note="": done.append((n, note)), 10)
    for part in (0.0, 0.34, 0.3, 1.0):
        tell("x", part)
    assert done == [(0, "x"), (3, "x"), (0, "x"), (7, "x")]
