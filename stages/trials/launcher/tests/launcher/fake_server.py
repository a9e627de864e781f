"""A server that misbehaves as told: fake_server.py PORT [WORD[=VALUE]]..."""
import http.server
import os
import signal
import subprocess
import sys
import time

port = int(sys.argv[1])
told = dict(word.partition("=")[::2] for word in sys.argv[2:])

if "say" in told:
    print(told["say"], flush=True)
if "flood" in told:
    for number in range(int(told["flood"])):
        print("flood", number)
    sys.stdout.flush()
if "exit" in told:
    sys.exit(int(told["exit"]))
if "ignore_term" in told:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "child" in told:
    # Like a server's engine: same group, and it does not care what becomes of its front.
    life = 'trap "" TERM; echo $$ >"$0.new"; mv "$0.new" "$0"; while :; do sleep 1; done'
    subprocess.Popen(["sh", "-c", life, told["child"]])
    while not os.path.exists(told["child"]):
        time.sleep(0.01)
if "daemon" in told:
    # Leaves the process group.
    life = 'echo $$ >"$0.new"; mv "$0.new" "$0"; while :; do sleep 1; done'
    subprocess.Popen(["sh", "-c", life, told["daemon"]], start_new_session=True)
    while not os.path.exists(told["daemon"]):
        time.sleep(0.01)
if "environment" in told:
    print("environment:", ",".join(sorted(os.environ)), flush=True)
time.sleep(float(told.get("delay", 0)))
if "never" in told:
    print("still loading", flush=True)
    time.sleep(3600)

state = {"loading": int(told.get("loading", 0))}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            print(told.get("last_words", "goodbye"), flush=True)
            os._exit(3)
        if self.path == "/break":
            state["loading"] = 1 << 30
        state["loading"] -= 1
        self.send_response(200 if state["loading"] < 0 else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
