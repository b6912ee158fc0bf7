"""The same trainer as a program, connected as cmd:python3 stdio_trainer.py."""

from stdio_loop import Refusal, say, serve
from toy_trainer import ConfigError, ToyTrainer


def train(request):
    def progress(record):
        say({"seq": request["seq"], "progress": record})

    try:
        return {"metrics": ToyTrainer().train(request["config"], request["out_dir"], progress)}
    except ConfigError as error:
        raise Refusal("config", str(error), name="ConfigError") from error


if __name__ == "__main__":
    serve(ToyTrainer.declares | {"role": "trainer", "name": "stdio-trainer"}, {"train": train})
