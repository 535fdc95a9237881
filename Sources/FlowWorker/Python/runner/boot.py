import importlib.machinery, json, linecache, os, sys, types
channel = os.dup(1)
def read(size):
    data = b""
    while len(data) < size:
        piece = os.read(channel, size - len(data))
        if not piece: os._exit(0)
        data += piece
    return data
line = b""
while line[-1:] != b"\n": line += read(1)
texts = {name: read(size).decode() for name, size in json.loads(line.decode())["files"].items()}
class Finder:
    def find_spec(self, name, path=None, target=None):
        package, _, rest = name.partition(".")
        if package == "_flowworker" and rest in texts:
            return importlib.machinery.ModuleSpec(name, self, origin="<flowworker/%s.py>" % rest)
    def create_module(self, spec): return None
    def exec_module(self, module):
        place, text = module.__spec__.origin, texts[module.__name__.partition(".")[2]]
        linecache.cache[place] = (len(text), None, text.splitlines(True), place)
        exec(compile(text, place, "exec"), module.__dict__)
sys.meta_path.insert(0, Finder())
package = types.ModuleType("_flowworker")
package.__path__ = []
sys.modules["_flowworker"] = package
from _flowworker import server
server.main(channel)
