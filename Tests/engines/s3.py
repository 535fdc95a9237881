"""An S3 server for tests, in a process of its own: s3.py DIRECTORY PORT

It is moto, with the check of signatures on: the first requests, which make a user and an access key, are the
only ones that it takes without. What they gave is in DIRECTORY/keys when the server is ready.
"""

import os
import sys

FIRST_REQUESTS = 3
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = str(FIRST_REQUESTS)

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def main(directory, port):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    iam = boto3.client(
        "iam",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="first",
        aws_secret_access_key="first",
    )
    iam.create_user(UserName="fw")
    iam.put_user_policy(UserName="fw", PolicyName="all", PolicyDocument=ALL)
    key = iam.create_access_key(UserName="fw")["AccessKey"]
    with open(os.path.join(directory, "keys.new"), "w") as file:
        file.write(f"{key['AccessKeyId']}\n{key['SecretAccessKey']}\n")
    os.rename(os.path.join(directory, "keys.new"), os.path.join(directory, "keys"))
    server._thread.join()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
