"""`letterlock setup` and `letterlock devices`: making a profile, claiming the number, adding a second device."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from ... import ids
from ...client import Client
from ...client.profile import ProfilePaths
from ...errors import DecodeError, DirectoryError, InputError
from ...keystore import KeyFile
from .account import LAB_CARRIER, LAB_DIRECTORY, LAB_PASSWORD, carrier_account, content_account, gateway_account
from .asking import ask, interactive
from .options import Unlock, add_profile, open_client, profile_path, protocols, unlock_arguments
from .qr import add_qr, show_qr
from .sms import add_smsc, sms_account
from .terminal import Terminal, visible

__all__ = ["add_parsers", "protocols"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    setup = commands.add_parser(
        "setup",
        help="make a profile and claim a number",
        description="Make a profile for a number and claim the number at the directory with the operator's one-time "
        "code. The defaults are those of 'letterlock carrier' and 'letterlock directory' on this machine.",
    )
    setup.add_argument("number", nargs="?", metavar="NUMBER", help="for example +15550100")
    setup.add_argument(
        "--join", metavar="OFFER", help="be another device of an account ('devices offer' printed OFFER)"
    )
    setup.add_argument(
        "--provisioning",
        default=os.environ.get("LETTERLOCK_PROVISIONING") or None,
        metavar="URL",
        help="let the operator's provisioning server say everything else",
    )
    setup.add_argument("--provisioning-ca", metavar="FILE", help="trust this authority for the operator's servers")
    setup.add_argument(
        "--protocols",
        default=os.environ.get("LETTERLOCK_PROTOCOLS") or "signal",
        metavar="NAMES",
        help="what this profile speaks, with commas: signal, rcc16, or signal,rcc16 (default: %(default)s)",
    )
    setup.add_argument("--name", default="", help="what you call this device")
    setup.add_argument("--code", help="the operator's code, if you have it already")
    setup.add_argument("--new-key-file", metavar="FILE", help="make a key file and protect the profile with it alone")
    setup.add_argument(
        "--directory",
        default=os.environ.get("LETTERLOCK_DIRECTORY") or LAB_DIRECTORY,
        metavar="URL",
        help="default %(default)s",
    )
    setup.add_argument("--directory-ca", metavar="FILE", help="trust this authority for the directory's certificate")
    setup.add_argument(
        "--carrier",
        default=os.environ.get("LETTERLOCK_CARRIER") or LAB_CARRIER,
        metavar="URI",
        help="default %(default)s",
    )
    setup.add_argument("--carrier-ca", metavar="FILE", help="trust this authority for the carrier's certificate")
    setup.add_argument("--domain", help="SIP domain, if it is not the carrier's host")
    setup.add_argument("--sip-user", help="private identity at the carrier (default: the number)")
    setup.add_argument(
        "--sip-password",
        default=os.environ.get("LETTERLOCK_SIP_PASSWORD") or LAB_PASSWORD,
        help="better in LETTERLOCK_SIP_PASSWORD, where other users do not see it (default: the lab's)",
    )
    setup.add_argument(
        "--content",
        default=os.environ.get("LETTERLOCK_CONTENT") or None,
        metavar="URL",
        help="content server to upload files to (default: none)",
    )
    setup.add_argument("--content-ca", metavar="FILE", help="trust this authority for the content server, too")
    setup.add_argument(
        "--content-password",
        default=os.environ.get("LETTERLOCK_CONTENT_PASSWORD") or LAB_PASSWORD,
        help="better in LETTERLOCK_CONTENT_PASSWORD (default: the lab's)",
    )
    add_smsc(setup)
    setup.add_argument(
        "--gateway",
        default=os.environ.get("LETTERLOCK_GATEWAY") or None,
        metavar="URL",
        help="let a gateway speak with the carrier, with --sip-user and --sip-password, and not this device (default: none)",
    )
    setup.add_argument("--gateway-ca", metavar="FILE", help="trust this authority for the gateway's certificate")
    setup.add_argument(
        "--gateway-password",
        default=os.environ.get("LETTERLOCK_GATEWAY_PASSWORD") or LAB_PASSWORD,
        help="better in LETTERLOCK_GATEWAY_PASSWORD (default: the lab's)",
    )
    setup.add_argument("--insecure-lab", action="store_true", help="permit plaintext SIP and SMPP beyond this machine")
    add_profile(setup)
    setup.set_defaults(run=run_setup)

    devices = commands.add_parser("devices", help="list, add and remove the devices of your account")
    devices.add_argument(
        "action", nargs="?", choices=("list", "offer", "add", "vouch", "link", "remove"), default="list"
    )
    devices.add_argument("what", nargs="?", metavar="REQUEST|ANSWER|DEVICE", help="for add, vouch, link and remove")
    devices.add_argument(
        "--kds-ca", metavar="FILE", help="for link: trust this authority for the key distribution server"
    )
    add_qr(devices)
    add_profile(devices)
    devices.set_defaults(run=run_devices)


async def run_setup(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if (arguments.number is None) == (arguments.join is None):
        raise InputError(
            "name a number, or --join another device's offer", code="input.setup", hint="letterlock setup +15550100"
        )
    if arguments.number is not None:
        ids.number(arguments.number)
    path = profile_path(arguments)
    if arguments.provisioning and arguments.number is not None:
        from .provisioning import set_up

        _leave_to_operator(arguments)
        sms = sms_account(arguments)
        unlock = _unlock_new(arguments)
        await set_up(arguments, terminal, path, unlock)
        if sms is not None:
            await Client.set_sms(path, sms, **unlock)
        return _done(arguments, terminal, path)
    number = arguments.number or _offered_number(arguments.join)
    gateway, content = gateway_account(arguments, number), content_account(arguments, number)
    sip = None if gateway is not None else carrier_account(arguments, number)
    sms = sms_account(arguments)
    unlock = _unlock_new(arguments)  # last, so that nobody chooses a passphrase for nothing
    if arguments.join is not None:
        request = await Client.join(
            path,
            arguments.join,
            directory=arguments.directory,
            directory_ca=arguments.directory_ca,
            sip=sip,
            content=content,
            sms=sms,
            gateway=gateway,
            protocols=protocols(arguments),
            name=arguments.name,
            **unlock,
        )
        terminal.say("carry this to the primary device: letterlock devices add REQUEST; then use this profile")
        terminal.data({"request": request}, request)
        return 0

    asking = interactive() and not terminal.json

    async def code() -> str:
        terminal.say(f"asked the directory for a code for {arguments.number}; its operator has it now")
        return await ask(f"code for {arguments.number}: " if asking else "")

    given: str | None = arguments.code
    while True:
        try:
            await Client.create(
                path,
                arguments.number,
                code=given or code,
                directory=arguments.directory,
                directory_ca=arguments.directory_ca,
                sip=sip,
                content=content,
                sms=sms,
                gateway=gateway,
                protocols=protocols(arguments),
                name=arguments.name,
                **unlock,
            )
            break
        except (DirectoryError, InputError) as error:
            if error.code not in ("directory.code", "input.code") or not asking:
                raise
            terminal.error(error)  # a slip of the finger: the code still stands
            given = await ask(f"code for {arguments.number} (empty: give up): ")
            if not given:
                raise
    return _done(arguments, terminal, path)


def _leave_to_operator(arguments: argparse.Namespace) -> None:
    """The operator's document names all of the network. What the user named beside it would be left out without a word."""
    named = {
        "--gateway": arguments.gateway,
        "--content": arguments.content,
        "--carrier": arguments.carrier != LAB_CARRIER,
        "--directory": arguments.directory != LAB_DIRECTORY,
        "--domain": arguments.domain,
        "--sip-user": arguments.sip_user,
        "--carrier-ca": arguments.carrier_ca,
        "--directory-ca": arguments.directory_ca,
        "--content-ca": arguments.content_ca,
        "--gateway-ca": arguments.gateway_ca,
    }
    given = [option for option, value in named.items() if value]
    if given:
        raise InputError(
            f"{' and '.join(given)} cannot go with --provisioning: the operator's configuration names these",
            code="input.setup",
            hint="leave it out: the operator names it (letterlock provisioning --gateway URL), and --provisioning-ca whom to "
            "trust; or set the "
            "profile up without LETTERLOCK_PROVISIONING and --provisioning",
        )


def _done(arguments: argparse.Namespace, terminal: Terminal, path: Path) -> int:
    terminal.data(
        {"number": arguments.number, "profile": str(path)},
        f"{arguments.number} is yours; profile '{arguments.profile}' is ready",
    )
    terminal.say(f"next: letterlock listen --profile {arguments.profile}")
    return 0


def _unlock_new(arguments: argparse.Namespace) -> Unlock:
    if not arguments.new_key_file:
        # Begun before and not finished: its passphrase was chosen then.
        return unlock_arguments(arguments, new=not ProfilePaths.of(profile_path(arguments)).exists())
    path = Path(arguments.new_key_file).expanduser().absolute()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    KeyFile(path).create(os.urandom)
    return Unlock(passphrase=None, key_file=str(path))


def _offered_number(offer: str) -> str:
    from ...crypto.pyca import Pyca
    from ...trust import decode_offer

    try:
        return decode_offer(offer, Pyca()).number
    except DecodeError as error:  # typed or pasted here: nobody else's slip
        raise InputError(f"not an offer of a device: {error}", code="input.offer", hint=error.hint) from error


async def run_devices(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.action == "link":
        await _link(arguments, terminal)
        return 0
    if (arguments.action in ("add", "vouch", "remove")) != (arguments.what is not None):
        raise InputError(
            "add and vouch take a request, remove a device number, list and offer nothing", code="input.devices"
        )
    async with open_client(arguments) as me:
        if arguments.action == "offer":
            offer = await me.device_offer()
            terminal.say("on the new device: letterlock setup --join OFFER")
            show_qr(arguments, terminal, offer)
            terminal.data({"offer": offer}, offer)
        elif arguments.action == "add":
            added = await me.add_device(arguments.what)
            terminal.data({"added": added}, f"device {added} is listed")
            if "." in arguments.what:
                await _vouch(me, arguments.what, terminal)
        elif arguments.action == "vouch":
            await _vouch(me, arguments.what, terminal)
        elif arguments.action == "remove":
            if not arguments.what.isdecimal():
                raise InputError("name the device by its number", code="input.devices", hint="letterlock devices list")
            await me.remove_device(int(arguments.what))
            terminal.data({"removed": int(arguments.what)}, f"device {arguments.what} is not listed any more")
        else:
            for device in await me.devices():
                since = datetime.fromtimestamp(device.added_at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
                terminal.data(
                    {"device": device.device, "name": device.name, "added_at": device.added_at, "this": device.this},
                    f"{device.device:3}  {visible(device.name) or '-'}  since {since}{'  (this one)' if device.this else ''}",
                )
    return 0


async def _vouch(me: Client, request: str, terminal: Terminal) -> None:
    answer = await me.vouch_for_device(request)
    terminal.say("for rcc16, on the new device: letterlock devices link ANSWER")
    terminal.data({"answer": answer}, answer)


async def _link(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Without an answer: the request. The profile is opened for this alone, so nobody else may have it open."""
    path, unlock = profile_path(arguments), unlock_arguments(arguments)
    if arguments.what is None:
        request = await Client.link_request(path, **unlock)
        terminal.say("carry this to the primary device: letterlock devices vouch REQUEST")
        terminal.data({"request": request}, request)
        return
    await Client.link(path, arguments.what, kds_ca=arguments.kds_ca, **unlock)
    terminal.data({"linked": True}, "this device may have a certificate now; it asks for one when it is opened")
