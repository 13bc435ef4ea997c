"""What belongs to simulations alone: xgboost beside the model, and going on from an earlier one."""
