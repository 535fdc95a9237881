"""What another client of S3 sees and does: s3_client.py ADDRESS KEYS make|put|get|head|list|many BUCKET [KEY [...]]

boto3, in the environment of the server (storage.sh). Content is given and printed as it is; answers are JSON.
"""

import json
import sys

import boto3


def main(address, keys, verb, bucket, *rest):
    with open(keys) as file:
        user, secret = file.read().split()
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id=user, aws_secret_access_key=secret
    )
    if verb == "make":
        client.create_bucket(Bucket=bucket)
    elif verb == "put":
        key, content, *mode = rest
        client.put_object(Bucket=bucket, Key=key, Body=content.encode(), Metadata={"mode": mode[0]} if mode else {})
    elif verb == "many":
        prefix, count = rest
        for number in range(int(count)):
            client.put_object(Bucket=bucket, Key=f"{prefix}{number:05}", Body=str(number).encode())
    elif verb == "get":
        sys.stdout.buffer.write(client.get_object(Bucket=bucket, Key=rest[0])["Body"].read())
    elif verb == "head":
        answer = client.head_object(Bucket=bucket, Key=rest[0])
        print(json.dumps({"size": answer["ContentLength"], "metadata": answer["Metadata"]}))
    elif verb == "list":
        found = client.list_objects_v2(Bucket=bucket, Prefix=rest[0] if rest else "")
        print(json.dumps(sorted(entry["Key"] for entry in found.get("Contents", []))))


if __name__ == "__main__":
    main(*sys.argv[1:])
