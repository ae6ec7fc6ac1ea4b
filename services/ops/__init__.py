"""ops follows every claim: views and timelines from all events, people's reviews, and the hold on the stages."""
