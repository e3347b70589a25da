# SPDX-License-Identifier: Apache-2.0
"""What comes over the serial line reaches the guest as it would on the bare machine: a BREAK, each way to send one, and
every byte while the input is transparent. The guest is the bundled one, whose UART the monitor looks at by its effects:
the guest prints what it is typed, and reads nothing while it is paused."""


def test_a_break_can_be_given_to_the_guest(boot):
    """By Ctrl-] b and by BREAK twice the guest's console is open again, and each leaves one record or none; a single
    BREAK opens the monitor."""
    ariel = boot()
    ariel.expect_line(r"^# ariel-guest: \d+ passed")
    ariel.attention()
    assert ariel.command("inject break").ok
    assert "transparent=off" in ariel.command("console").text
    ariel.command("quit")
    ariel.send("\x1db")
    ariel.expect_line("event=monitor-write .*what=break")
    ariel.send_break()
    ariel.expect_line("monitor: break")
    ariel.expect_prompt()
    ariel.send_break()
    ariel.expect_line("-- guest console; guest running")


def test_transparent_input_is_left_by_a_break(boot):
    ariel = boot()
    ariel.expect_line(r"^# ariel-guest: \d+ passed")
    ariel.attention()
    assert "transparent=on" in ariel.command("console transparent on").text
    ariel.command("quit")
    ariel.send("\x1d\x1d\r")  # the guest's
    ariel.send_break()
    ariel.expect_line("monitor: break")
    ariel.expect_prompt()
    assert "transparent=off" in ariel.command("console transparent off").text
    ariel.command("quit")
    ariel.attention()
