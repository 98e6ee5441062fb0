"""Starts the AWS emulator of the local cloud: moto's server with the resource types that moto lacks.

usage: LOCAL_CLOUD=http://HOST:PORT serve.py PORT
"""

import os
import sys

HOST = "127.0.0.1"


def main() -> None:
    port = sys.argv[1]
    # The functions run outside the emulator. Without this, moto looks for a Docker daemon.
    os.environ["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    # AWS's managed policies exist in every account; moto has them only when asked.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    # A function's package is never uploaded: its binary lies on this machine.
    os.environ["VALIDATE_LAMBDA_S3"] = "false"
    os.environ["MOTO_PORT"] = port
    os.environ["EMULATOR_ENDPOINT"] = f"http://{HOST}:{port}"

    import extension
    from extension.smithy import CborTranslation
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import run_simple

    extension.install()
    application = CborTranslation(DomainDispatcherApplication(create_backend_app))
    run_simple(HOST, int(port), application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
