"""The page of a step in containers says which engine, image and container it had, and why an engine failed."""

import faulty_engine
import pytest

import flowworker


@pytest.fixture
def run(tmp_path):
    engines = []

    def run(faults=None, **options):
        engine = faulty_engine.FaultyEngine(faults)
        engines.append(engine)
        options = {"host": engine.host, "engine_timeout": 3600, **options}
        worker = flowworker.create_worker({"name": "box", "type": "docker", "options": options})
        return engine, worker.exec(flowworker.ContainerStep("s", "img", ["true"]), {}, tmp_path)

    yield run
    for engine in engines:
        engine.close()


def test_the_facts_about_the_engine(run):
    engine, result = run()
    assert result.returncode == 0, result.message
    page = result.view()
    facts = page[page.index('<dl class="engine">') :]
    assert f"<dt>host</dt><dd><code>{engine.host}</code></dd>" in facts
    assert "<dt>image</dt><dd><code>img</code></dd>" in facts and "<dt>image id</dt>" in facts
    assert "container " + result.commands[0]["container"] in page
    assert "<dt>Worker</dt><dd>box (docker)</dd>" in page


def test_an_engine_that_fails(run):
    engine, result = run({"ping": "close"})
    assert result.outcome == "engine_failed"
    page = result.view()
    assert ">failed</span></h1>" in page and "the engine failed" in page
    assert "<b>Likely:</b> the engine does not run, or is not to be reached by this user" in page
    assert f"<b>Tried:</b> the engine at {engine.host}; the image img" in page
