"""ops follows every claim: views and timelines from the events of all five writers, people's reviews, control of stages."""
