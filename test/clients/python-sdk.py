"""What people do with docker's Python SDK; prints one JSON object of what it saw."""

import io
import json
import sys
import tarfile

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

client = docker.DockerClient(base_url=sys.argv[1], timeout=30)
seen = {}

seen["ping"] = client.ping()
seen["run"] = client.containers.run("hello", "echo hi", remove=True).decode()
try:
    client.containers.run("hello", ["sh", "-c", "echo failing >&2; exit 3"], remove=True)
except ContainerError as error:
    seen["failed"] = [error.exit_status, error.stderr.decode()]

box = client.containers.run("hello", "sleep 600", detach=True, name="python-box", labels={"a": "b"}, mem_limit="64m")
seen["exec"] = [value if isinstance(value, int) else value.decode() for value in box.exec_run(["sh", "-c", "echo in; exit 4"])]
stdout, stderr = box.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True).output
seen["demux"] = [stdout.decode(), stderr.decode()]
seen["listed"] = [container.name for container in client.containers.list(filters={"label": "a=b"})]
box.reload()
seen["status"] = box.status

archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    entry = tarfile.TarInfo("note")
    entry.size = 5
    tar.addfile(entry, io.BytesIO(b"paper"))
seen["put"] = box.put_archive("/tmp", archive.getvalue())
chunks, stat = box.get_archive("/tmp/note")
with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
    seen["got"] = [stat["name"], stat["size"], tar.extractfile("note").read().decode()]
seen["diff"] = box.diff()
seen["top"] = box.top()["Processes"][0][-1]
seen["stats"] = "memory_stats" in box.stats(stream=False)
box.pause()
box.unpause()
box.rename("python-case")
box.update(mem_limit="128m", memswap_limit="256m")
box.restart(timeout=0)

network = client.networks.create("python-net", driver="bridge")
network.connect(box, aliases=["case"])
other = client.containers.run("hello", "ping -c 1 -W 2 -q case", network="python-net", remove=True)
seen["reached"] = b"1 packets received" in other
network.disconnect(box)
network.remove()

volume = client.volumes.create("python-volume")
client.containers.run("hello", ["sh", "-c", "echo kept > /v/x"], volumes={"python-volume": {"bind": "/v", "mode": "rw"}}, remove=True)
seen["kept"] = client.containers.run("hello", "cat /v/x", volumes={"python-volume": {"bind": "/v", "mode": "ro"}}, remove=True).decode()
volume.remove()

box.stop(timeout=0)
seen["waited"] = box.wait()["StatusCode"]
box.remove()
try:
    client.containers.get("python-case")
except NotFound as error:
    seen["gone"] = error.explanation
try:
    client.api.create_container("nosuch:image", "true")
except (ImageNotFound, APIError) as error:
    seen["unknown"] = error.explanation
print(json.dumps(seen))
