"""What making correlations sends, told beforehand: public counts alone decide what is made when."""
