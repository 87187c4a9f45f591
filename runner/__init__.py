"""From a plan to outcomes: order, provider gateway, judge, execution, budget."""
