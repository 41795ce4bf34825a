#!/usr/bin/env python3
"""A TCP proxy between the nodes and the database that is in the way.

usage: cutter.py PORT TARGET_PORT SHARE

At SIGUSR1 it begins to cut connections, or ends that: a SHARE of what the client sends is forwarded, and the connection is closed
before the answer comes back. At SIGUSR2 it begins to drop everything that arrives, or ends that: no byte passes, and nothing is closed.
It writes the number of connections that it has cut to its standard output at the end.
"""

import asyncio
import random
import signal
import sys

HOST = "127.0.0.1"


class Cutter:
    def __init__(self, target, share):
        self.target, self.share = target, share
        self.cuts, self.drops, self.count = False, False, 0
        self.passing = asyncio.Event()
        self.passing.set()

    def toggle_cuts(self):
        self.cuts = not self.cuts

    def toggle_drops(self):
        self.drops = not self.drops
        # A connection that was cut off stays silent, as behind a firewall that forgot it.
        (self.passing.clear if self.drops else self.passing.set)()

    async def serve(self, reader, writer):
        if self.drops:
            await self.passing.wait()
            return writer.close()
        try:
            upstream = await asyncio.open_connection(HOST, self.target)
        except OSError:
            return writer.close()
        state = {"cut": False}
        await asyncio.gather(self.forward(reader, upstream[1], state, True), self.forward(upstream[0], writer, state, False))

    async def forward(self, reader, writer, state, to_server):
        try:
            while data := await reader.read(65536):
                await self.passing.wait()
                if state["cut"]:
                    break
                writer.write(data)
                await writer.drain()
                if to_server and self.cuts and random.random() < self.share:
                    # The server gets the statement, and carries it out; its answer goes nowhere.
                    state["cut"] = True
                    self.count += 1
                    await asyncio.sleep(0.02)
                    break
        except OSError:
            pass
        finally:
            state["cut"] = True
            writer.close()


async def main():
    port, target, share = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    cutter, end = Cutter(target, share), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, cutter.toggle_cuts)
    loop.add_signal_handler(signal.SIGUSR2, cutter.toggle_drops)
    loop.add_signal_handler(signal.SIGTERM, end.set)
    await asyncio.start_server(cutter.serve, HOST, port)
    await end.wait()
    print(cutter.count, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
