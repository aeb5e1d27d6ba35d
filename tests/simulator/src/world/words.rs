//! Names that a team would give.

/// Teams, as they stand in tags.
pub(super) const TEAMS: [&str; 5] = ["nlp", "vision", "forecasting", "risk", "platform"];

/// People, as they stand in paths and as authors.
pub(super) const PEOPLE: [&str; 6] = ["anna", "bjørn", "chidi", "dagmar", "emre", "françoise"];

/// Experiments.
pub(super) const EXPERIMENTS: [&str; 10] = [
    "churn-baseline",
    "churn-gbm",
    "exp-ticket-routing",
    "exp-defects-resnet",
    "demand-weekly",
    "demand-promo",
    "fraud-graph",
    "exp-search-ranking",
    "Qualitätsprüfung",
    "ocr finetune",
];

/// Models with the file that holds their weights.
pub(super) const MODELS: [(&str, &str); 12] = [
    ("churn-classifier", "model.safetensors"),
    ("ticket-router", "pytorch_model.bin"),
    ("defect-detector", "weights/resnet50.pt"),
    ("demand-forecast", "forecast.bin"),
    ("fraud-graph", "gnn.ckpt"),
    ("search-ranker", "ranker.onnx"),
    ("ocr-handwriting", "encoder.safetensors"),
    ("price-elasticity", "model.pkl"),
    ("support-embeddings", "embeddings.f32"),
    ("Lieferzeit_Prognose", "vorhersage.bin"),
    ("credit-scorecard", "scorecard.bin"),
    ("speech-commands", "commands.tflite"),
];

/// Topics of notebooks.
pub(super) const TOPICS: [&str; 10] = [
    "exploration",
    "features",
    "error analysis",
    "training",
    "evaluation",
    "label quality",
    "drift",
    "cost",
    "threshold",
    "report",
];

/// A training script; the number makes each one a different file.
pub(super) fn training_script(number: usize) -> String {
    format!(
        r#"import argparse
import mlflow

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--lr", type=float, default=0.{number}1)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--model")
args = parser.parse_args()

mlflow.log_params(vars(args))
loss = 1.0
for epoch in range(args.epochs):
    loss *= 1.0 - args.lr
    mlflow.log_metric("train/loss", loss, step=epoch)
with open(f"{{args.model}}/model.bin", "wb") as out:
    out.write(bytes(1024))
"#
    )
}
