"""Copies of objects by boto3 with ten threads: s3_threads.py ADDRESS KEYS BUCKET

boto3 in the environment of the S3 server (Tests/engines/s3-requirements.txt). A line of the input is a way, a
direction, a prefix and a directory; the answer is a line with the seconds that all files took. The ways: `objects`
calls get_object and put_object, `transfer` calls download_file and upload_file of one transfer manager.
"""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.config

WIDTH = 10


def main(address: str, keys: str, bucket: str) -> None:
    with open(keys, encoding="ascii") as file:
        user, secret = file.read().split()
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=user,
        aws_secret_access_key=secret,
        config=botocore.config.Config(max_pool_connections=WIDTH),
    )

    def get(key: str, path: str) -> None:
        with open(path, "wb") as file:
            for piece in client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
                file.write(piece)

    def put(key: str, path: str) -> None:
        with open(path, "rb") as file:
            client.put_object(Bucket=bucket, Key=key, Body=file)

    ways: dict[tuple[str, str], Callable[[str, str], None]] = {
        ("objects", "get"): get,
        ("objects", "put"): put,
        ("transfer", "get"): lambda key, path: client.download_file(bucket, key, path),
        ("transfer", "put"): lambda key, path: client.upload_file(path, bucket, key),
    }
    with ThreadPoolExecutor(WIDTH) as pool:
        for line in sys.stdin:
            way, direction, prefix, directory = line.split()
            start = time.perf_counter()
            if direction == "get":
                pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
                names = [entry["Key"][len(prefix) :] for page in pages for entry in page["Contents"]]
            else:
                names = os.listdir(directory)
            copy = ways[way, direction]
            list(pool.map(lambda name: copy(prefix + name, os.path.join(directory, name)), names))
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
