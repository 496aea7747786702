"""What passes through the gate really works: moto's services, with a session."""

from __future__ import annotations

import io
import zipfile

from labwire import client

from unexpire.lab import Lab


def test_services_work(lab: Lab) -> None:
    keys = lab.issue_session()
    s3, sqs, dynamodb, logs, function, ec2 = made = [
        client(lab, name, keys) for name in ("s3", "sqs", "dynamodb", "logs", "lambda", "ec2")
    ]

    s3.create_bucket(Bucket="bucket")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="big")["UploadId"]
    part = s3.upload_part(Bucket="bucket", Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 6_000_000)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="bucket", Key="big", UploadId=upload, MultipartUpload=parts)
    assert s3.head_object(Bucket="bucket", Key="big")["ContentLength"] == 6_000_000

    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "hello"

    attribute = {"AttributeName": "id", "AttributeType": "S"}
    schema = {"AttributeName": "id", "KeyType": "HASH"}
    dynamodb.create_table(
        TableName="table", KeySchema=[schema], AttributeDefinitions=[attribute], BillingMode="PAY_PER_REQUEST"
    )
    dynamodb.put_item(TableName="table", Item={"id": {"S": "one"}})
    assert dynamodb.scan(TableName="table")["Items"] == [{"id": {"S": "one"}}]

    logs.create_log_group(logGroupName="group")
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["group"]

    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context): return event")
    function.create_function(
        FunctionName="function",
        Runtime="python3.12",
        Role=lab.role_arn("Deploy"),
        Handler="handler.handle",
        Code={"ZipFile": code.getvalue()},
    )
    assert function.invoke(FunctionName="function", Payload=b"{}")["StatusCode"] == 200
    assert lab.count("lambda", "Invoke", outcome="ok") == 1

    assert ec2.describe_regions(RegionNames=["us-east-1"])["Regions"][0]["RegionName"] == "us-east-1"
    for each in made:
        each.close()
    assert lab.count(outcome="error") == 0
