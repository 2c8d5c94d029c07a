"""Batches through OpenAI's own Python SDK: python batches.py CASE, with NIGHTSHIFT_URL set. Exits 0 when all held."""

import json
import os
import sys
import time
import urllib.request

import openai

URL = os.environ["NIGHTSHIFT_URL"]
client = openai.OpenAI(base_url=URL, api_key="any", timeout=60)
ENDED = {"completed", "failed", "expired", "cancelled"}


def line(custom_id, model="sim-ok"):
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"Say {custom_id}."}],
        "metadata": {"marker": custom_id},
    }
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def upload(lines, name="input.jsonl"):
    text = "".join(json.dumps(one) + "\n" for one in lines)
    return client.files.create(file=(name, text.encode()), purpose="batch").id


def create(file_id, window="24h", **more):
    return client.batches.create(
        input_file_id=file_id, endpoint="/v1/chat/completions", completion_window=window, **more
    )


def until(batch_id, fact, seconds=90):
    deadline = time.monotonic() + seconds
    while True:
        batch = client.batches.retrieve(batch_id)
        if fact(batch) or batch.status in ENDED:
            return batch
        if time.monotonic() > deadline:
            raise AssertionError(f"{batch_id} is {batch.status} after {seconds} s: {batch.request_counts}")
        time.sleep(0.05)


def settled(batch_id, seconds=90):
    return until(batch_id, lambda batch: False, seconds)


def results(file_id):
    if file_id is None:
        return []
    return [json.loads(one) for one in client.files.content(file_id).text.splitlines() if one]


def judged(batch, ids):
    output, failures = results(batch.output_file_id), results(batch.error_file_id)
    assert sorted(one["custom_id"] for one in output + failures) == sorted(ids)
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (len(ids), len(output), len(failures)), counts
    for one in output:
        said = one["response"]["body"]["choices"][0]["message"]["content"]
        assert f"[marker:{one['custom_id']}]" in said, one
    return output, failures


def refused(error, call, **facts):
    try:
        call()
    except error as given:
        for name, value in facts.items():
            assert getattr(given, name) == value, (name, getattr(given, name), given)
        return given
    raise AssertionError(f"was not refused with {error.__name__}")


def post(path, body):
    """What the SDK has no name for."""
    request = urllib.request.Request(
        f"{URL}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def lifecycle():
    ids = [f"py-{n}" for n in range(30)]
    file_id = upload(line(one) for one in ids)
    batch = create(file_id, metadata={"night": "1"})
    assert batch.object == "batch" and batch.status in {"validating", "in_progress"}, batch
    assert batch.output_file_id is None and batch.error_file_id is None and batch.errors is None
    assert batch.metadata == {"night": "1"} and batch.input_file_id == file_id
    batch = settled(batch.id)
    assert batch.status == "completed" and batch.model == "sim-ok", batch
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    output, failures = judged(batch, ids)
    assert len(output) == 30 and not failures
    assert batch.usage.total_tokens == sum(one["response"]["body"]["usage"]["total_tokens"] for one in output)
    assert batch.usage.input_tokens_details.cached_tokens == 0
    assert client.files.retrieve(batch.output_file_id).purpose == "batch_output"
    assert client.files.delete(file_id).deleted
    refused(openai.NotFoundError, lambda: client.files.retrieve(file_id))


def mixed():
    models = {"ok": "sim-ok", "bad": "sim-400", "gone": "sim-404", "flaky": "sim-flaky-30"}
    batch = settled(create(upload(line(name, model) for name, model in models.items())).id)
    assert batch.status == "completed" and batch.model is None
    _, failures = judged(batch, list(models))
    assert {one["custom_id"]: one["response"]["status_code"] for one in failures} == {"bad": 400, "gone": 404}
    assert all(one["error"] is None for one in failures)


def bad_input():
    same = line("same")
    batch = settled(create(upload([same, {"custom_id": "x"}, same, line("url") | {"url": "/v1/embeddings"}])).id)
    assert batch.status == "failed" and batch.failed_at is not None
    found = [(one.line, one.code, one.param) for one in batch.errors.data]
    assert found == [
        (2, "missing_required_parameter", "method"),
        (3, "duplicate_custom_id", "custom_id"),
        (4, "invalid_url", "url"),
    ], found
    refused(openai.ConflictError, lambda: client.batches.cancel(batch.id), status_code=409)


def refusals():
    file_id = upload([line("x")])
    refused(openai.NotFoundError, lambda: client.batches.retrieve("batch_none"))
    refused(openai.NotFoundError, lambda: client.batches.cancel("batch_none"))
    refused(openai.BadRequestError, lambda: create("file-none"), param="input_file_id")
    refused(openai.BadRequestError, lambda: create(file_id, "15d"), param="completion_window")
    refused(openai.BadRequestError, lambda: create(file_id, metadata={"n": 1}), param="metadata.n")
    refused(
        openai.BadRequestError,
        lambda: client.batches.list(limit=101),
        param="limit",
        code="integer_above_max_value",
    )
    key = {"Idempotency-Key": "python"}
    first = create(file_id, extra_headers=key)
    assert create(file_id, extra_headers=key).id == first.id
    refused(
        openai.ConflictError,
        lambda: create(file_id, "1h", extra_headers=key),
        code="idempotency_key_reused",
    )


def cancel():
    ids = [f"cancel-{n}" for n in range(300)]
    batch = create(upload(line(one, "sim-slow-300") for one in ids))
    until(batch.id, lambda seen: seen.request_counts.completed > 0)
    assert client.batches.cancel(batch.id).status in {"cancelling", "cancelled"}
    batch = settled(batch.id)
    assert batch.status == "cancelled" and batch.cancelled_at >= batch.cancelling_at, batch
    output, failures = judged(batch, ids)
    assert output and failures
    assert all(one["response"] is None and one["error"]["code"] == "batch_cancelled" for one in failures)
    assert client.batches.cancel(batch.id).status == "cancelled"


def paging():
    file_id = upload([line("page")])
    ids = [create(file_id).id for _ in range(5)]
    seen = [batch.id for batch in client.batches.list(limit=2)]
    assert seen[:5] == ids[::-1], (seen, ids)
    assert len(set(seen)) == len(seen)


def extras():
    requests = [{"custom_id": f"inline-{n}", "body": line(f"inline-{n}", "sim-400")["body"]} for n in range(3)]
    window = {"endpoint": "/v1/chat/completions", "completion_window": "1h"}
    batch = settled(post("/batches", {**window, "requests": requests})["id"])
    ids = [one["custom_id"] for one in requests]
    assert len(judged(batch, ids)[1]) == 3
    again = post(f"/batches/{batch.id}/retry", {"filter": {"custom_ids": ["inline-1"]}})
    assert again["retry_of"] == batch.id
    judged(settled(again["id"]), ["inline-1"])
    with urllib.request.urlopen(f"{URL}/batches/{batch.id}/results?order=input", timeout=60) as answer:
        assert [json.loads(one)["custom_id"] for one in answer.read().splitlines()] == ids


CASES = {case.__name__: case for case in (lifecycle, mixed, bad_input, refusals, cancel, paging, extras)}

if __name__ == "__main__":
    CASES[sys.argv[1]]()
    print(f"{sys.argv[1]}: held, with openai {openai.__version__}")
