"""Answers the questions of a queue: python worker_websocket.py ws://127.0.0.1:8000/v1/work/support [TOKEN]"""
import asyncio, contextlib, json, os, sys
import websockets


async def answer(question):  # yours: a model, a search, a person
    for word in f"You asked: {question}".split():
        await asyncio.sleep(0.05)
        yield word + " "


class Job:
    def __init__(self, message):
        self.id, self.said = message["job_id"], []  # all that was said, to go on from wherever the server wants
        self.task = asyncio.create_task(self.work(message["question"]))

    async def work(self, question):
        async for text in answer(question):
            await self.say({"type": "text", "content": text})
        await self.say({"type": "done"})

    async def say(self, message):
        self.said.append(message | {"job_id": self.id, "n": len(self.said) + 1})
        await self.send_from(len(self.said))

    async def send_from(self, number):
        with contextlib.suppress(websockets.ConnectionClosed):  # the next connection is told where to go on
            for message in self.said[number - 1:]:
                await line.send(json.dumps(message))


async def main(queue, token=""):
    global line
    jobs, name = {}, f"{os.uname().nodename}-{os.getpid()}"  # jobs are given back to whoever returns by its name
    async for line in websockets.connect(f"{queue}?worker={name}&capacity=4&token={token}"):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in line:
                message = json.loads(text)
                match (message, jobs.get(message.get("job_id"))):
                    case {"type": "job", "job_id": job_id}, None:
                        jobs[job_id] = Job(message)
                    case ({"type": "job", "next": number} | {"type": "error", "expected": number}), job if job:
                        await asyncio.sleep(message.get("retry_after", 0))
                        await job.send_from(number)
                    case {"type": "ack" | "cancel" | "error"}, job if job:  # it is over
                        jobs.pop(job.id).task.cancel()


asyncio.run(main(*sys.argv[1:]))
