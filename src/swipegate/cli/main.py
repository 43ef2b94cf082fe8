"""The `swipegate` command."""

import typer

from swipegate.cli import decode, demo, devices, encode, formats, serve, simulate, token

app = typer.Typer(
    name="swipegate",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # they could hold track data
    help=(
        "Card requests on magstripe devices and card assignment, over gRPC.\n\n"
        "New here? [bold]swipegate demo[/] shows the whole way of a swipe, "
        "[bold]swipegate decode recording.wav[/] reads a recording, "
        "[bold]swipegate devices[/] shows what is plugged in, [bold]swipegate serve[/] starts the service."
    ),
    epilog="Exit codes: 0 done, 1 something did not read, 2 wrong usage, 3 server or device not reachable.",
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("decode")(decode.decode)
app.command("encode")(encode.encode)
app.add_typer(devices.app, name="devices")
app.add_typer(formats.app, name="formats")
app.command("simulate")(simulate.simulate)
app.command("token")(token.token)


def main() -> None:
    """Entry point of the `swipegate` command."""
    app()


if __name__ == "__main__":
    main()
