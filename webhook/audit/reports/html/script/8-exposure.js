function exposureCards() { return []; }
